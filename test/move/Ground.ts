/** What the processes of the fleet, and who moves its stream, have in common. */
import type { Place } from "../../../leat/src/control/ControlRecord.ts"

export const keys = 16

/** How long a process may be silent: short, for a proof; not shorter, since the machine is busy. */
export const lease = "8 seconds" as const

/** Two logs, and two topics in each; the topics differ in how many partitions they have. */
export const places: ReadonlyArray<Place> = [
  { cluster: "near", topic: "a", partitions: 4 },
  { cluster: "far", topic: "a", partitions: 4 },
  { cluster: "near", topic: "b", partitions: 2 },
  { cluster: "far", topic: "b", partitions: 2 }
]

/** The document that has the stream in a place. `folder` has the logs. */
export function documentAt(version: number, { cluster, topic }: Place, folder: string): string {
  const logIn = (name: string) => ({ transport: "@leat/log", directory: `${folder}/${name}`, leaseMs: 5000 })
  return JSON.stringify({
    version,
    clusters: { near: logIn("near"), far: logIn("far") },
    policies: { patient: [{ on: ["passing"], retry: { base: "50 millis", maxDelay: "1 second" }, then: "halt" }] },
    routes: [{ match: { stream: "*" }, to: [{ cluster, topic, policy: "patient", linger: "2 millis" }] }],
    subscriptions: [{ match: { stream: "*" }, from: "earliest", settleEvery: "20 millis" }]
  })
}
