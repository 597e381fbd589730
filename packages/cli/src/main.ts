import { run } from "./run.ts"

/** Longest time that a timer takes, in milliseconds. */
const timerMsMax = 2 ** 31 - 1

const interruption = new AbortController()
// For as long as the process lives: npm passes on the signal that the terminal has sent to all, and a second one must not kill a command
// that is ending in order.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => interruption.abort())
// A command may wait for what does not keep a process alive by itself.
setInterval(() => {}, timerMsMax)
// By `exit`, because a process that ends by itself gives its signals back first, and is then killed by one that comes late.
process.exit(await run(process.argv.slice(2), process, interruption.signal))
