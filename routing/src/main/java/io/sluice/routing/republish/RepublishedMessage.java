package io.sluice.routing.republish;

import io.netty.util.AbstractReferenceCounted;
import io.netty.util.ReferenceCounted;
import io.sluice.routing.DirectMessage;

/** A message on its way to direct subscribers whose publisher is the broker. */
abstract class RepublishedMessage extends AbstractReferenceCounted implements DirectMessage {
    private final String topic;

    RepublishedMessage(String topic) {
        this.topic = topic;
    }

    @Override
    public final String topic() {
        return topic;
    }

    @Override
    public final int qos() {
        return 1;
    }

    @Override
    public final String publisherId() {
        return "";
    }

    @Override
    public final ReferenceCounted touch(Object hint) {
        return this;
    }
}
