import type { Driver } from "leat"
import type { Client } from "./plan.ts"

/** leat's driver for each client; loaded where it is measured. */
export const drivers: { readonly [C in Client]: () => Promise<Driver> } = {
  kafkajs: async () => (await import("@leat/kafkajs")).kafkajs,
  confluent: async () => (await import("@leat/confluent")).confluent
}
