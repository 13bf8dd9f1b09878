/**
 * The part of RabbitMQ's HTTP API that clients' tools and tests drive a broker with. Changes go through an AMQP connection to this
 * broker with the caller's credentials, as RabbitMQ's own plugin does it, so that they are checked and refused as those of AMQP
 * clients are.
 */
@NullMarked
package io.sluice.server.management.rabbit;

import org.jspecify.annotations.NullMarked;
