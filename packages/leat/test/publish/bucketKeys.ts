/** A key for each of the eight buckets of a contract, in order: murmur2 of it as kafkajs has it, without its sign, modulo eight. */
export const bucketKeys: readonly [string, string, string, string, string, string, string, string] = [
  "k3",
  "k0",
  "k11",
  "k14",
  "k5",
  "k16",
  "k8",
  "k81"
]
