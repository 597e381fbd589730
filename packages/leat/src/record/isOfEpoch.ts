/**
 * Whether a record that stands in the range of an epoch is of it, by the epoch that it says. Before the first move legs wrote whatever epoch their document
 * said, or none. Later what another epoch has written late was sent again elsewhere.
 */
export function isOfEpoch(epoch: number, firstEpoch: number, said: number | undefined): boolean {
  return said === undefined || said === epoch || (epoch === firstEpoch && said < firstEpoch)
}
