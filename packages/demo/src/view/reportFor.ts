import type { JobArguments } from "../arguments.ts"
import { coloured, plain, wantsColor } from "./colour.ts"
import { PlainReport } from "./PlainReport.ts"
import type { Report } from "./Report.ts"

/** The way of telling that fits where stdout goes. With `--json` people read stderr. */
export function reportFor({ json, color }: JobArguments): Report {
  const output = json ? process.stderr : process.stdout
  const paint = wantsColor(color, process.env, output.isTTY) ? coloured : plain
  return new PlainReport((line) => void output.write(`${line}\n`), paint)
}
