// Signs in, reads the account, places an order and waits until it is final.
//
//     node examples/orders.mjs TEA-SENCHA-100 3
//
// fetch() is that of every browser, and of Node 20 and newer. /api/orders answers 308 to /api/v1/orders, which fetch()
// follows by itself, with method, headers and body.

const { SHOP = "http://127.0.0.1:8000", EMAIL = "ada@example.com", DEMO_PASSWORD = "demo-password" } = process.env;
const [sku, quantity] = process.argv.slice(2);
const headers = { "Content-Type": "application/json" };

async function call(method, path, body, more = {}) {
  const answer = await fetch(`${SHOP}/api${path}`, {
    method,
    headers: { ...headers, ...more },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(15_000),
  });
  const json = await answer.json();
  if (!answer.ok) throw new Error(`${answer.status} ${json.code}: ${json.detail}`); // application/problem+json
  return json;
}

const { token } = await call("POST", "/auth/token", { email: EMAIL, password: DEMO_PASSWORD });
headers.Authorization = `Bearer ${token}`;

const { id } = await call("GET", "/users/me");
const user = await call("GET", `/users/${id}`);
console.log(`${user.full_name} <${user.email}>`);

// The key makes it safe to send this again after a lost answer: there is one order, however often it is sent.
const body = { items: [{ sku, quantity: Number(quantity) }] };
let order = await call("POST", "/orders", body, { "Idempotency-Key": crypto.randomUUID() });
while (order.status === "pending") {
  await new Promise((done) => setTimeout(done, 100));
  order = await call("GET", `/orders/${order.id}`);
}
console.log(`${order.number} is ${order.status}, ${order.total} ${order.currency}`);
