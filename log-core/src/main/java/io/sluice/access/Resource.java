package io.sluice.access;

/**
 * A thing that permissions are asked about.
 *
 * @param kind what sort of thing
 * @param name its name within the caller's virtual host; for {@link Kind#TOPIC} an MQTT topic name or filter
 */
public record Resource(Kind kind, String name) {
    /** Sorts of resources. */
    public enum Kind {
        VHOST,
        EXCHANGE,
        QUEUE,
        STREAM,
        TOPIC,
        GROUP,
        NODE
    }
}
