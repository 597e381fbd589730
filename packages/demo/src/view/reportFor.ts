import type { WriteStream } from "node:tty"
import type { JobArguments } from "../arguments.ts"
import { coloured, plain, wantsColor } from "./colour.ts"
import { PlainReport } from "./PlainReport.ts"
import type { Report } from "./Report.ts"
import { ScreenReport } from "./ScreenReport.ts"

/** Least time between two drawings for a size that changes, in milliseconds. */
const resizeMs = 100

/** The way of telling that fits where stdout goes: a picture in a terminal, else lines. With `--json` people read stderr. */
export function reportFor({ json, color }: JobArguments): Report {
  const output = json ? process.stderr : process.stdout
  const paint = wantsColor(color, process.env, output.isTTY) ? coloured : plain
  if (!json && output.isTTY && process.env["TERM"] !== "dumb") return onTerminal(output, paint)
  return new PlainReport((line) => void output.write(`${line}\n`), paint)
}

function onTerminal(output: WriteStream, paint: typeof plain): Report {
  const report = new ScreenReport(output, paint)
  let resized: NodeJS.Timeout | undefined
  output.on("resize", () => {
    resized ??= setTimeout(() => {
      resized = undefined
      report.draw()
    }, resizeMs).unref()
  })
  // However it ends: after the second signal too, and after a fault of ours.
  process.on("exit", () => report.close())
  // Ctrl-Z: the shell gets a terminal it can use, and `fg` the next frame.
  process.on("SIGTSTP", () => {
    report.pause()
    process.kill(process.pid, "SIGSTOP")
  })
  return report
}
