// Reads AsyncAPI documents from the paths given; prints for each a JSON line of what is wrong.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const ERROR = 0; // the severities above are warnings and hints
const parser = new Parser();
for (const path of process.argv.slice(2)) {
  const { document, diagnostics } = await parser.parse(readFileSync(path, "utf8"));
  const errors = diagnostics.filter((one) => one.severity === ERROR);
  const texts = errors.map((one) => `${one.path.join(".")}: ${one.message}`);
  console.log(JSON.stringify({ path, valid: document !== undefined, errors: texts }));
}
