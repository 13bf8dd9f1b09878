package io.sluice.server.management.rabbit;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AlreadyClosedException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.ShutdownSignalException;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.io.IOException;
import java.util.Locale;
import java.util.concurrent.TimeoutException;

/** Calls over a short AMQP connection to this broker. Each blocks its thread for some milliseconds, a minute at most. */
final class AmqpCalls {
    private static final int TIMEOUT_MILLIS = 10_000;

    private final String host;
    private final int port;

    AmqpCalls(String host, int port) {
        this.host = host;
        this.port = port;
    }

    /** User name and password. */
    record Login(String name, String password) {}

    /** What is done on a channel. */
    interface Call<T> {
        T on(Channel channel) throws IOException, InterruptedException, TimeoutException;
    }

    /**
     * Makes a call.
     *
     * @throws ApiException with the broker's words if it is refused
     */
    <T> T call(Login user, String vhost, Call<T> call) {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost(host);
        factory.setPort(port);
        factory.setUsername(user.name());
        factory.setPassword(user.password());
        factory.setVirtualHost(vhost);
        factory.setAutomaticRecoveryEnabled(false);
        factory.setConnectionTimeout(TIMEOUT_MILLIS);
        factory.setHandshakeTimeout(TIMEOUT_MILLIS);
        factory.setChannelRpcTimeout(TIMEOUT_MILLIS);
        factory.setRequestedHeartbeat(0);
        try (Connection connection = factory.newConnection("HTTP API")) {
            return call.on(connection.createChannel());
        } catch (IOException e) {
            throw e.getCause() instanceof ShutdownSignalException refused ? refusal(refused) : unavailable(e);
        } catch (AlreadyClosedException e) {
            throw refusal(e);
        } catch (TimeoutException e) {
            throw unavailable(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw unavailable(e);
        }
    }

    private static ApiException refusal(ShutdownSignalException refused) {
        int code = 0;
        String text = String.valueOf(refused.getMessage());
        if (refused.getReason() instanceof AMQP.Channel.Close close) {
            code = close.getReplyCode();
            text = close.getReplyText();
        } else if (refused.getReason() instanceof AMQP.Connection.Close close) {
            code = close.getReplyCode();
            text = close.getReplyText();
        }
        return switch (code) {
            case AMQP.NOT_FOUND -> new ApiException(HttpResponseStatus.NOT_FOUND, "Object Not Found", text);
            case AMQP.NOT_IMPLEMENTED -> new ApiException(HttpResponseStatus.NOT_IMPLEMENTED, "not_implemented", text);
            case 0 -> new ApiException(HttpResponseStatus.SERVICE_UNAVAILABLE, "unavailable", text);
            default -> new ApiException(HttpResponseStatus.BAD_REQUEST, "bad_request", text);
        };
    }

    private static ApiException unavailable(Exception e) {
        String why = e.getMessage() == null ? e.getClass().getSimpleName().toLowerCase(Locale.ROOT) : e.getMessage();
        return new ApiException(
                HttpResponseStatus.SERVICE_UNAVAILABLE, "unavailable", "The broker did not answer over AMQP: " + why);
    }
}
