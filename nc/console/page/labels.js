// Labels as people write them: key=value, one on each line or with commas in between.

export function labelsIn(text) {
  const lines = text.split(/[\n,]/).map((each) => each.trim());
  return Object.fromEntries(
    lines.filter(Boolean).map((each) => {
      const place = each.indexOf("=");
      return place < 0 ? [each, ""] : [each.slice(0, place).trim(), each.slice(place + 1).trim()];
    }),
  );
}

export function pairsText(labels) {
  const pairs = Object.entries(labels);
  return pairs.map(([key, value]) => (value ? `${key}=${value}` : key)).join(", ");
}
