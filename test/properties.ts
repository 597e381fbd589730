/**
 * How properties draw, in every suite. fast-check keeps a list to ten entries when nobody says how large it may be, even where a longest one
 * is stated: the walks over lanes and queues ended before anything was full. What states its longest is drawn up to it.
 * Each run draws anew, unless `LEAT_SEED` says from where: then it draws the same again.
 */
import fc from "fast-check"

// Where a bug is planted, that it is found is enough: the smallest case of long lists takes minutes.
const isPlanted = process.env["LEAT_MUTANT"] !== undefined

const seed = process.env["LEAT_SEED"]
const drawn = seed === undefined ? {} : { seed: Number(seed) }

fc.configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true, endOnFailure: isPlanted, ...drawn })
