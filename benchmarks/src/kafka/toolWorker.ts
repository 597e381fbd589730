// Runs a program as a child that does not outlive the parent of this process: toolWorker.ts <program> <argument>... Tells the parent the
// last line that it printed.
import { spawn } from "node:child_process"

const [program = "", ...args] = process.argv.slice(2)
const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] })
process.on("exit", () => child.kill("SIGKILL"))
process.on("disconnect", () => process.exit(0))
let printed = ""
child.stdout.on("data", (text: Buffer) => {
  printed = (printed + text.toString()).slice(-4000)
})
child.once("error", (error) => tell({ failed: error.message }))
child.once("close", (code) => tell(code === 0 ? { printed } : { failed: `${program} ended with code ${code}` }))

function tell(message: { readonly printed: string } | { readonly failed: string }): void {
  process.send?.(message, () => process.exit(0))
}
