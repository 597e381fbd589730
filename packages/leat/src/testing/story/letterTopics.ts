/** Topics of dead letters and of replays, by their names: no other topic of a story has such a one. */
import { deadLetterTopics } from "../../record/DeadLetter.ts"

const endings = deadLetterTopics("", "")
const letterEnding = endings.deadLetters.slice(1)
const replayEnding = endings.replays.slice(1)

export function isLetterTopic(topic: string): boolean {
  return topic.endsWith(letterEnding)
}

/** Where a group sets aside what it read in a topic: that of a stream, or that of its replays. */
export function letterTopicOf(topic: string, group: string): string {
  if (topic.endsWith(replayEnding)) return `${topic.slice(0, -replayEnding.length)}${letterEnding}`
  return deadLetterTopics(topic, group).deadLetters
}
