package io.sluice.amqp;

import io.sluice.amqp091.session.Amqp091Settings;

/**
 * Settings of the AMQP door.
 *
 * @param headerSeconds time in which a client must have sent its protocol header
 * @param amqp091 limits of AMQP 0-9-1 connections
 */
public record AmqpSettings(int headerSeconds, Amqp091Settings amqp091) {
    /** 10 s for the header, {@link Amqp091Settings#DEFAULT}. */
    public static final AmqpSettings DEFAULT = new AmqpSettings(10, Amqp091Settings.DEFAULT);
}
