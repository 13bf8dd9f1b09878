package io.sluice.queue;

/**
 * Messages of a queue that belong together keep their order, also with several consumers: what is in flight of a group is with one
 * consumer at a time, and none of a group is delivered for the first time before all that stand before it were. A message that waits to
 * be tried again holds up what is behind it in its group. A restart forgets which group such a message was of, and that of nothing else.
 * Consumers that settle by receipt hold no group: they get the messages of a group in order, in turn.
 *
 * @param by what makes a group
 * @param oneInFlight true if a group has one message in flight at a time; else its messages go to one consumer as long as that has
 *     any of them in flight
 */
public record MessageGroups(By by, boolean oneInFlight) {
    /** What messages of a group have in common; a message without it belongs to none. */
    public enum By {
        /** Header {@link io.sluice.message.MessageHeaders#GROUP_ID}. */
        GROUP_ID,
        /** The record's key. */
        KEY
    }
}
