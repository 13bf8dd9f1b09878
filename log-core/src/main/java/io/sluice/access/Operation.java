package io.sluice.access;

/** What a caller wants to do to a resource; RabbitMQ's permission triple, plus node administration. */
public enum Operation {
    CONFIGURE,
    WRITE,
    READ,
    ADMIN
}
