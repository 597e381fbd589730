import { log } from "@leat/log"
import { open } from "leat/promise"
import { LogLine, Severity } from "@leat/demo/gen/risk/v1/log.ts"

/** Publishes log lines through leat, one after the other, and says how many are stored. */
export async function publishLogLines(
  directory: string,
  events: number,
  stored: (count: number) => Promise<void> | void = () => {}
): Promise<void> {
  const routes = {
    version: 1,
    clusters: { local: { transport: "@leat/log", directory } },
    routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "{stream}" }] }]
  }
  await using leat = await open({ source: "test", routes, drivers: [log] })
  const lines = await leat.stream(LogLine)
  for (let at = 0; at < events; at++) {
    await lines.publish({
      host: `h${at % 3}`,
      program: "sshd",
      severity: Severity.WARN,
      message: `secret ${at}`,
      atUs: BigInt(at),
      detail: { case: "loginFailure", value: { user: "root", sourceAddress: "10.0.0.1" } },
      inputRef: `x:${at}`
    })
    await stored(at + 1)
  }
}
