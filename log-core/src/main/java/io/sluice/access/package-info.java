/** Who asks: principal, virtual host and authorizer travel with every call into routing and core. */
@NullMarked
package io.sluice.access;

import org.jspecify.annotations.NullMarked;
