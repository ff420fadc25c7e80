// The filter of the table: comparisons such as `accuracy > 0.9` or `state = failed`, and words that any cell may hold.

const COMPARISON = /([^\s<>=!]+)\s*(<=|>=|!=|==|=|<|>)\s*("[^"]*"|[^\s<>=!]+)/g;

/** A function row -> boolean. Throws an Error with the reason where a comparison names no column. */
export function parseFilter(text, columns) {
  const tests = [];
  const rest = text.replace(COMPARISON, (_, name, sign, right) => {
    const column = find(columns, name);
    if (!column) throw new Error(`There is no column ${name}. There are: ${columns.map((each) => each.label).join(", ")}`);
    tests.push(comparison(column, sign, right.replace(/^"(.*)"$/, "$1")));
    return " ";
  });
  if (/[<>]|[=!]=/.test(rest)) throw new Error("A comparison needs a column, a sign and a value, as in: accuracy > 0.9");
  for (const word of rest.toLowerCase().split(/\s+/)) {
    if (word && word !== "and") tests.push((row) => columns.some((column) => text_of(column.get(row)).includes(word)));
  }
  return (row) => tests.every((test) => test(row));
}

function find(columns, name) {
  const wanted = name.toLowerCase();
  const is = (tell) => columns.find((column) => tell(column.label.toLowerCase(), column.id.toLowerCase()));
  return is((label, id) => label === wanted || id === wanted) ?? is((label) => label.endsWith(`/${wanted}`));
}

function comparison(column, sign, right) {
  const bound = Number(right);
  if (Number.isNaN(bound) || right === "") {
    const wanted = right.toLowerCase();
    if (sign === "=" || sign === "==") return (row) => text_of(column.get(row)) === wanted;
    if (sign === "!=") return (row) => text_of(column.get(row)) !== wanted;
    throw new Error(`${column.label} ${sign} ${right}: ${sign} compares numbers`);
  }
  const holds = {
    "<": (x) => x < bound, "<=": (x) => x <= bound, ">": (x) => x > bound, ">=": (x) => x >= bound,
    "=": (x) => x === bound, "==": (x) => x === bound, "!=": (x) => x !== bound,
  }[sign];
  return (row) => {
    const value = column.get(row);
    const x = typeof value === "string" && value.trim() !== "" ? Number(value) : value; // an id such as 00042
    return typeof x === "number" && !Number.isNaN(x) ? holds(x) : sign === "!=";
  };
}

function text_of(value) {
  return (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value ?? "")).toLowerCase();
}
