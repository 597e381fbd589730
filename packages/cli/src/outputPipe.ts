let isClosed = false

/** Whether whoever read what this process prints has gone: `leat events tail | head`. */
export function isOutputClosed(): boolean {
  return isClosed
}

/** From here on a closed pipe is noted instead of ending the process with an error. */
export function watchOutput(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error
    isClosed = true
  })
}
