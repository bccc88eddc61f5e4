// The console's own endpoints.

async function answerOf(response) {
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(told.error ?? `the console answers ${response.status}`);
  return told;
}

// Ask for something; `query` has the names and values of its parameters.
export async function ask(name, query = {}) {
  const parameters = new URLSearchParams(query);
  return answerOf(await fetch(`/api/${name}?${parameters}`));
}

// Change something. The header is what no other site's page can send.
export async function act(name, body) {
  const response = await fetch(`/api/actions/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-nc-console": "1" },
    body: JSON.stringify(body),
  });
  return answerOf(response);
}
