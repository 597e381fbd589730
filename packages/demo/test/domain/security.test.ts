import { expect, it } from "vitest"
import { SecurityWatch } from "../../src/domain/security.ts"
import { Severity } from "../../src/gen/risk/v1/log.ts"

const failure = (sourceAddress: string, second: number) => ({
  host: "gate",
  program: "sshd",
  severity: Severity.WARN,
  message: "",
  atUs: BigInt(second) * 1_000_000n,
  detail: { case: "loginFailure" as const, value: { user: "root", sourceAddress } },
  inputRef: `auth.log:${second}`
})

it("a burst from one address is told of among any number of other addresses", () => {
  const watch = new SecurityWatch()
  const told = Array.from({ length: 5000 }, (_, second) => {
    const alerts = [watch.observe(failure(`other-${second}`, second))]
    if (second >= 4000 && second < 4040 && second % 10 === 0) alerts.push(watch.observe(failure("burst", second)))
    if (second === 4059) alerts.push(watch.observe(failure("burst", second)))
    return alerts.flatMap((alert) => (alert === undefined ? [] : [alert]))
  }).flat()
  expect(told).toEqual([
    {
      host: "gate",
      sourceAddress: "burst",
      failures: 5,
      windowUs: 60_000_000n,
      atUs: 4_059_000_000n,
      lineRef: "auth.log:4059"
    }
  ])
})
