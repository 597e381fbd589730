/** Topics of dead letters, of replays and of retries, by their names: no other topic of a story has such a one. */
import { deadLetterTopics } from "../../record/DeadLetter.ts"

const endings = deadLetterTopics("", "")
const letterEnding = endings.deadLetters.slice(1)
const replayEnding = endings.replays.slice(1)

function isLetterTopic(topic: string): boolean {
  return topic.endsWith(letterEnding)
}

/** Where a group sets aside what it read in a topic: that of a stream, or that of its replays. */
export function letterTopicOf(topic: string, group: string): string {
  if (isLetterTopic(topic)) return topic
  if (topic.endsWith(replayEnding)) return `${topic.slice(0, -replayEnding.length)}${letterEnding}`
  if (tierOf(topic) !== undefined) return topic.replace(/\.retry\.\d+$/, letterEnding)
  return deadLetterTopics(topic, group).deadLetters
}

/** The number of a retry topic; undefined for every other topic. */
export function tierOf(topic: string): number | undefined {
  const [, tier] = /\.retry\.(\d+)$/.exec(topic) ?? []
  return tier === undefined ? undefined : Number(tier)
}

/** Whether what a group could not handle goes there, to wait for another attempt or for a person. */
export function isAsideTopic(topic: string): boolean {
  return isLetterTopic(topic) || tierOf(topic) !== undefined
}
