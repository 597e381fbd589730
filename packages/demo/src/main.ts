import { command } from "./command.ts"
import { Signals } from "./Signals.ts"

const { stdout, stderr, env } = process
// Whoever reads may have gone (`| head`); what was under way is finished all the same.
stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error
})
const signals = new Signals(process)
// By `exit`, because a process that ends by itself gives its signals back first, and is then killed by one that comes late.
process.exit(await command(process.argv.slice(2), { stdout, stderr, env, signals }))
