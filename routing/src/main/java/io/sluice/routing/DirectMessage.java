package io.sluice.routing;

import io.netty.util.ReferenceCounted;
import io.sluice.message.RecordView;

/**
 * A message on its way to online subscribers, outside the log. Immutable and shared between loops; an adapter that publishes
 * passes its own implementation so that the same protocol's subscribers need no conversion.
 */
public interface DirectMessage extends ReferenceCounted {
    /** MQTT topic name of the message. */
    String topic();

    /** QoS it was published with, 0 to 2 (AMQP: 1 for persistent or confirmed messages, else 0). */
    int qos();

    /** Client id of an MQTT publisher (for noLocal), empty otherwise. */
    String publisherId();

    /** Wraps the canonical record form, encoded on first use. Safe on any thread. */
    void record(RecordView into);
}
