import type { ContractInfo } from "../contract/Contract.ts"
import type { Leg, Route } from "./Route.ts"
import type { RouteFault } from "./RouteDocument.ts"

/**
 * Why a topic with so many partitions cannot carry the contract's order; undefined: it can. To be asked with what the topic has, or would
 * be created with, before anything is created.
 *
 * A key's partition is murmur2 modulo partitions, as Java's default partitioner has it. A bucket is murmur2 modulo buckets, and is to be
 * in one partition as a whole: its sequence has no gaps there.
 *
 * @example
 * ```ts
 * const partitions = yield* transport.partitionsOf(leg.topic)
 * const fault = partitionFault(BeaconSighting, route, leg, partitions)
 * if (fault !== undefined) return yield* new RouteError({ faults: [fault] })
 * ```
 */
export function partitionFault(
  { name, buckets, unordered }: ContractInfo,
  { index, partitioner }: Route,
  { sink, path }: Leg,
  partitions: number
): RouteFault | undefined {
  if (!(Number.isInteger(partitions) && partitions >= 1))
    return { path, message: `${sink} has ${partitions} partitions, as its driver says, which is no number from 1` }
  if (unordered || partitioner !== "murmur2" || buckets % partitions === 0) return undefined
  const choice = `give the topic a partition count that divides ${buckets}, or say \`partitioner: bucket\``
  const message = `${sink} has ${partitions} partitions, ${name} ${buckets} buckets; ${choice}`
  return { path: `routes[${index}].partitioner`, message }
}
