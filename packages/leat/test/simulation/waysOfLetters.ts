/** What stories have to come to with dead letters, counted by what raw reads and handlers show. */
import { type Chronicle, placeName } from "leat/testing"

/** How often each of these came, in one story. */
export function waysOfLetters(chronicle: Chronicle): Readonly<Record<string, number>> {
  const { letters, replays, handlings, groups } = chronicle
  const done = new Set(handlings.flatMap((one) => (one.isDone ? [placeName(one.group, one)] : [])))
  const origins = letters.flatMap(({ group, origin }) => (origin === undefined ? [] : [placeName(group, origin)]))
  const members = Map.groupBy(handlings, (one) => placeName(one.group, one))
  const membersOf = (place: string) => new Set(members.get(place)?.map(({ member }) => member)).size
  const dropping = new Set(groups.flatMap(({ group, ending }) => (ending === "drop" ? [group] : [])))
  return {
    "a letter is stored": new Set(origins).size,
    "a letter is stored again": origins.length - new Set(origins).size,
    "a lane moves between the failure of a record and its letter": new Set(origins.filter((one) => membersOf(one) > 1))
      .size,
    "an event is set aside by one group and handled by another": letters.filter(({ id, group }) =>
      handlings.some((one) => one.isDone && one.id === id && one.group !== group)
    ).length,
    "a record of a batch is set aside": letters.filter(({ group, origin }) =>
      handlings.some((one) => !one.isAlone && one.group === group && one.position === origin?.position)
    ).length,
    "a letter is replayed": replays.length,
    "a letter is replayed and handled": replays.filter((one) => done.has(placeName(one.group, one))).length,
    "a replay is set aside": letters.filter((one) => one.replays > 0).length,
    "an event is dropped": handlings.filter((one) => one.isPoison && one.isAlone && dropping.has(one.group)).length
  }
}
