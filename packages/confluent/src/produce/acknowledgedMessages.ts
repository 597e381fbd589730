/** The part of librdkafka's statistics that this driver reads. */
interface Statistics {
  readonly topics?: Readonly<
    Record<string, { readonly partitions?: Readonly<Record<string, { readonly acked_msgid?: number }>> }>
  >
}

/** For each partition the number of its last message up to which everything is acknowledged; 0: nothing is. */
export function acknowledgedMessages(statistics: string): (topic: string, partition: number) => number {
  const { topics } = JSON.parse(statistics) as Statistics
  return (topic, partition) => topics?.[topic]?.partitions?.[partition]?.acked_msgid ?? 0
}
