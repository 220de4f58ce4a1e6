// unfold makes some controls, such as that which opens the filters, links without an address: no keyboard reaches them.
document.addEventListener("DOMContentLoaded", () => {
  for (const control of document.querySelectorAll("a:not([href])")) {
    control.setAttribute("role", "button");
    control.tabIndex = 0;
    control.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      control.click();
    });
  }
});
