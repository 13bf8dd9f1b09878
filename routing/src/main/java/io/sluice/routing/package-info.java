/** Routers, routes and bindings: from an address to the streams and queues that take a message. */
@NullMarked
package io.sluice.routing;

import org.jspecify.annotations.NullMarked;
