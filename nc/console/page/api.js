// The console's own endpoints.

// No answer came, or not all of it: the console is away, or the browser gave the request up, as it
// does while the network of its machine changes.
export class Unanswered extends Error {}

async function answered(path, options, meaning) {
  let response;
  try {
    response = await fetch(path, options);
    if (response.ok) return await response.json();
  } catch {
    const what = response ? "The console's answer was cut" : "The console did not answer";
    throw new Unanswered(`${what}${meaning}.`);
  }
  const told = await response.json().catch(() => ({}));
  throw new Error(told.error ?? `the console answers ${response.status}`);
}

// Ask for something; `query` has the names and values of its parameters.
export async function ask(name, query = {}) {
  const parameters = new URLSearchParams(query);
  return answered(`/api/${name}?${parameters}`, {}, "");
}

// Change something. The header is what no other site's page can send.
export async function act(name, body) {
  const request = {
    method: "POST",
    headers: { "content-type": "application/json", "x-nc-console": "1" },
    body: JSON.stringify(body),
  };
  const meaning = ": look whether this was done before you do it again";
  return answered(`/api/actions/${name}`, request, meaning);
}
