import type { Mutant } from "./Mutant.ts"

const published = "publish/canary.test.ts"
const refused = "routes/canaryFaults.test.ts"

/** Planted where a leg takes a share of the keys. */
export const canaryMutants: ReadonlyArray<Mutant> = [
  {
    name: "a canary that is full rejects what is not its own",
    file: "publish/Publisher.ts",
    find: `if (!outlet.isRequired || !takes(outlet, bucket)) continue`,
    replace: `if (!outlet.isRequired) continue`,
    foundBy: published,
    test: "that is full holds nobody up"
  },
  {
    name: "a canary takes every event",
    file: "publish/Publisher.ts",
    find: `      if (!takes(outlet, bucket)) continue\n`,
    replace: ``,
    foundBy: published,
    test: "takes the events of its buckets"
  },
  {
    name: "a canary takes the first bucket behind its share",
    file: "publish/Publisher.ts",
    find: `return bucket >= buckets.from && bucket < buckets.to`,
    replace: `return bucket >= buckets.from && bucket <= buckets.to`,
    foundBy: published,
    test: "takes the events of its buckets"
  },
  {
    name: "an event waits for a canary that has another share",
    file: "publish/Publisher.ts",
    find: `required.filter((outlet) => hasSameBuckets(outlet, before))`,
    replace: `required`,
    foundBy: published,
    test: "is not waited for any longer"
  },
  {
    name: "a canary that is away counts events that are not its own",
    file: "publish/ClosedLeg.ts",
    find: `    if (bucket < buckets.from || bucket >= buckets.to) return\n`,
    replace: ``,
    foundBy: published,
    test: "that is best effort and away"
  },
  {
    name: "a canary that is away keeps the share that it had",
    file: "publish/Destinations.ts",
    find: `      found.buckets = buckets\n`,
    replace: ``,
    foundBy: published,
    test: "that is best effort and away"
  },
  {
    name: "a leg that is read keeps the share that it had",
    file: "publish/Destinations.ts",
    find: `leg === route.readLeg ? allKeys : leg`,
    replace: `leg`,
    foundBy: "publish/destinations.test.ts",
    test: "are all where it is read"
  },
  {
    name: "a canary is compared with all events of its stream",
    file: "ledger/Ledger.ts",
    find: `buckets === undefined ? admitted : sequences.takenIn(buckets)`,
    replace: `admitted`,
    foundBy: published,
    test: "does not balance where"
  },
  {
    name: "a canary with another share is compared from where it was",
    file: "ledger/Ledger.ts",
    find: `leg.account === account && isSameRange(leg.buckets, buckets)`,
    replace: `leg.account === account`,
    foundBy: published,
    test: "gets another share between two events"
  },
  {
    name: "what a canary had too much is forgotten with the next table",
    file: "ledger/Ledger.ts",
    find: `isSameRange(leg.buckets, buckets))`,
    replace: `buckets === undefined)`,
    foundBy: published,
    test: "does not balance where"
  },
  {
    name: "the last percent of a share is left out",
    file: "routes/BucketShare.ts",
    find: `Math.ceil(((to + 1) * buckets) / 100)`,
    replace: `Math.ceil((to * buckets) / 100)`,
    foundBy: refused,
    test: "is percent of the buckets"
  },
  {
    name: "a share may end at a hundred",
    file: "routes/BucketShare.ts",
    find: `if (to > 99)`,
    replace: `if (to > 100)`,
    foundBy: refused,
    test: "is refused in one sentence"
  },
  {
    name: "the first leg may be a canary where no leg says that it is read",
    file: "routes/canaryFaults.ts",
    find: `if (legs[read]?.canary !== undefined)`,
    replace: `if (legs[read]?.read === true && legs[read].canary !== undefined)`,
    foundBy: refused,
    test: "is refused on the first leg"
  },
  {
    name: "canaries alone may be required",
    file: "routes/canaryFaults.ts",
    find: `required !== false && canary === undefined`,
    replace: `required !== false`,
    foundBy: refused,
    test: "is refused where no other leg is required"
  },
  {
    name: "a share without a bucket is taken",
    file: "routes/canaryFaults.ts",
    find: `if (from < to) return []`,
    replace: `if (from <= to) return []`,
    foundBy: refused,
    test: "needs keys, and a bucket at least"
  },
  {
    name: "an audit misses what a share leaves out",
    file: "audit/announced.ts",
    find: `own.some((leg) => hasBucket(leg, bucket))`,
    replace: `own.length > 0`,
    foundBy: "audit/published.test.ts",
    test: "does not miss what a share of the keys leaves out"
  }
]
