import { exitCode } from "./outcome.ts"

let isClosed = false

/** Whether whoever read what this process prints has gone: `leat events tail | head`. */
export function isOutputClosed(): boolean {
  return isClosed
}

/** From here on a closed pipe is noted instead of ending the process; a full disk ends it, in one sentence. */
export function watchOutput(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    isClosed = true
    if (error.code === "EPIPE") return
    process.stderr.write(`leat: what is printed cannot be written: ${error.message}\n`)
    process.exit(exitCode.failed)
  })
}
