// Publishes log lines through leat, one every so many milliseconds, and prints how many are stored.
//   publishSlowly.ts <directory> <events> <pause in ms>
import { log } from "@leat/log"
import { open } from "leat/promise"
import { LogLine, Severity } from "@leat/demo/gen/risk/v1/log.ts"

const [directory = "", events = "10", pauseMs = "50"] = process.argv.slice(2)
const routes = {
  version: 1,
  clusters: { local: { transport: "@leat/log", directory } },
  routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "{stream}" }] }]
}
await using leat = await open({ source: "test", routes, drivers: [log] })
const lines = await leat.stream(LogLine)
for (let at = 0; at < Number(events); at++) {
  await lines.publish({
    host: `h${at % 3}`,
    program: "sshd",
    severity: Severity.WARN,
    message: `secret ${at}`,
    atUs: BigInt(at),
    detail: { case: "loginFailure", value: { user: "root", sourceAddress: "10.0.0.1" } },
    inputRef: `x:${at}`
  })
  process.stdout.write(`${at + 1}\n`)
  await new Promise((resolve) => setTimeout(resolve, Number(pauseMs)))
}
