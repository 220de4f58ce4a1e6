// A file of its own: a content security policy may forbid scripts that stand in the page.
"use strict";

const place = document.getElementById("docs");

window.ui = SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // it would ask a server on the internet
});

// It opens what the address names only once, when it starts.
window.addEventListener("hashchange", () => {
  const [, tag, operation] = location.hash.split("/");
  if (operation) {
    window.ui.layoutActions.show(["operations", decodeURIComponent(tag), operation], true);
    const shown = document.getElementById(`operations-${tag}-${operation}`);
    if (shown) shown.scrollIntoView();
  }
});
