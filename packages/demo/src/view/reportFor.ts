import type { Writable } from "node:stream"
import { WriteStream } from "node:tty"
import type { JobArguments } from "../arguments.ts"
import { coloured, plain, wantsColor } from "./colour.ts"
import { PlainReport } from "./PlainReport.ts"
import type { Report } from "./Report.ts"
import { ScreenReport } from "./ScreenReport.ts"

/** Least time between two drawings for a size that changes, in milliseconds. */
const resizeMs = 100

/** The way of telling that fits where people read: a picture in a terminal, else lines, and always lines with `--json`. */
export function reportFor(
  { json, color }: JobArguments,
  output: Writable,
  env: Readonly<Record<string, string | undefined>>
): Report {
  const terminal = output instanceof WriteStream && output.isTTY ? output : undefined
  const paint = wantsColor(color, env, terminal !== undefined) ? coloured : plain
  if (!json && terminal !== undefined && env["TERM"] !== "dumb") return onTerminal(terminal, paint)
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
