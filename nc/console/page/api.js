// The console's own endpoints.

// No answer came: the console is away, or the browser gave the request up, as it does while the
// network of its machine changes.
export class Unanswered extends Error {}

async function answered(path, options, meaning) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Unanswered(`The console did not answer${meaning}.`);
  }
  return answerOf(response);
}

async function answerOf(response) {
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(told.error ?? `the console answers ${response.status}`);
  return told;
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
