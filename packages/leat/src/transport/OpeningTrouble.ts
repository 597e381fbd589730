import * as Context from "effect/Context"

/**
 * Whom a driver tells, while it opens a cluster, why that takes time: for drivers whose client goes on trying and has heard what is wrong.
 * leat warns of the last one, if the cluster is still not open soon after. Nobody listens elsewhere.
 *
 * @example
 * ```ts
 * const trouble = yield* OpeningTrouble
 * client.on("refused", (address, why) => trouble(`${address}: ${why}`))
 * ```
 */
export const OpeningTrouble = Context.Reference<(why: string) => void>("leat/OpeningTrouble", {
  defaultValue: () => () => {}
})
