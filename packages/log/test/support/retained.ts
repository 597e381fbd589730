import { retain } from "../../src/store/retention.js"
import { noLimits, type OpenStore } from "./openStore.js"

/** A week. */
export const retentionMs = 7 * 86_400_000
const limits = { ...noLimits, retentionMs }

export const put = (open: OpenStore) => open.append([{ key: "k", value: "v" }], limits)
/** Positions that can be read. */
export const keptOf = (open: OpenStore) =>
  open.read().flatMap(({ records }) => records.map(({ position }) => Number(position)))

/** As the maintenance of a log does. */
export function maintain(open: OpenStore): void {
  const step = () =>
    open.write((store) => {
      store.ages.stamp()
      const head = store.heads.get(0)
      const after = retain(store, store.topics.get("t"), head, limits, 256)
      if (after !== head) store.heads.save(after)
      return after !== head
    })
  while (step());
}
