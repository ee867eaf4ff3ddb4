using System.Text.Json;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>
/// A client of QEMU's machine protocol: any number of commands at once, events in order to every subscriber.
/// When the connection breaks, or QEMU says something that is not of the protocol, every waiter is told why.
/// </summary>
internal sealed class QmpClient : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _writing = new(1);
    private readonly Stream _stream;
    private readonly BoundedLineReader _reader;
    private readonly TaskCompletionSource<string> _greeting = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<long, Waiter> _waiters = [];
    private readonly List<QmpSubscription> _subscriptions = [];
    private readonly Task _loop;
    private Exception? _broken;
    private long _lastId;

    /// <summary>Begins to listen. The stream belongs to the client from here on.</summary>
    /// <param name="stream">A connection to QEMU on which nothing was read.</param>
    public QmpClient(Stream stream)
    {
        _stream = stream;
        _reader = new BoundedLineReader(stream, QmpMessage.SizeLimit);
        _loop = Task.Run(ListenAsync);
    }

    /// <summary>Completes, never faults, when the connection has ended and every event before that was handed on.</summary>
    public Task Closed => _loop;

    /// <summary>Subscribes to events. QEMU sends none before <see cref="NegotiateAsync"/>, so one who subscribes before misses none.</summary>
    public QmpSubscription Subscribe()
    {
        var subscription = new QmpSubscription(Forget);
        lock (_gate)
        {
            if (_broken is null)
            {
                _subscriptions.Add(subscription);
                return subscription;
            }
        }

        subscription.Complete();
        return subscription;
    }

    /// <summary>Awaits QEMU's greeting and enters command mode.</summary>
    /// <returns>QEMU's version.</returns>
    /// <exception cref="IOException">The connection is broken.</exception>
    /// <exception cref="QmpException">QEMU refused.</exception>
    public async Task<string> NegotiateAsync(CancellationToken cancellationToken)
    {
        string version = await _greeting.Task.WaitAsync(cancellationToken);
        await ExecuteAsync("qmp_capabilities", null, cancellationToken);
        return version;
    }

    /// <summary>Runs a command.</summary>
    /// <param name="command">Its name.</param>
    /// <param name="arguments">Writes the members of its arguments; null for none.</param>
    /// <param name="cancellationToken">Ends the wait; the command may still be carried out.</param>
    /// <returns>QEMU's answer.</returns>
    /// <exception cref="IOException">The connection is broken.</exception>
    /// <exception cref="QmpException">QEMU failed the command.</exception>
    public async Task<JsonElement> ExecuteAsync(string command, Action<Utf8JsonWriter>? arguments, CancellationToken cancellationToken)
    {
        var waiter = new Waiter(command);
        long id;
        lock (_gate)
        {
            if (_broken is not null)
            {
                throw Broken(_broken);
            }

            id = ++_lastId;
            _waiters.Add(id, waiter);
        }

        try
        {
            // A message cut short would break the connection for all: cancelling ends the wait, not the writing.
            await WriteAsync(QmpMessage.Format(command, arguments, id)).WaitAsync(cancellationToken);
            return await waiter.Answer.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            lock (_gate)
            {
                _waiters.Remove(id);
            }
        }
    }

    /// <summary>Ends the connection; whoever still waits is told.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        await _loop;
    }

    private static IOException Broken(Exception cause) => new("The connection to QEMU is broken: " + cause.Message, cause);

    private async Task WriteAsync(byte[] message)
    {
        await _writing.WaitAsync();
        try
        {
            await _stream.WriteAsync(message);
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            throw Broken(error);
        }
        finally
        {
            _writing.Release();
        }
    }

    private async Task ListenAsync()
    {
        try
        {
            while (await _reader.ReadAsync(CancellationToken.None) is { } line)
            {
                if (line.Length > 0)
                {
                    Handle(QmpMessage.Parse(line));
                }
            }

            Break(new EndOfStreamException("QEMU closed it"));
        }
        catch (Exception error) when (error is IOException or InvalidDataException or ObjectDisposedException)
        {
            Break(error);
        }
    }

    private void Handle(QmpMessage message)
    {
        switch (message)
        {
            case QmpMessage.Greeting greeting:
                _greeting.TrySetResult(greeting.Version);
                break;
            case QmpMessage.Return answer:
                Take(answer.Id)?.Answer.TrySetResult(answer.Value);
                break;
            case QmpMessage.Error { Id: { } id } error:
                Waiter? waiter = Take(id);
                waiter?.Answer.TrySetException(new QmpException(waiter.Command, error.Class, error.Description));
                break;
            case QmpMessage.Error error:
                throw new InvalidDataException($"QEMU did not understand a command: {error.Description} ({error.Class})");
            case QmpMessage.Event { Value: { } value }:
                lock (_gate)
                {
                    _subscriptions.ForEach(subscription => subscription.Post(value));
                }

                break;
        }
    }

    private Waiter? Take(long id)
    {
        lock (_gate)
        {
            return _waiters.Remove(id, out Waiter? waiter) ? waiter : null;
        }
    }

    private void Break(Exception cause)
    {
        lock (_gate)
        {
            _broken = cause;
            _greeting.TrySetException(Broken(cause));
            foreach (Waiter waiter in _waiters.Values)
            {
                waiter.Answer.TrySetException(Broken(cause));
            }

            _waiters.Clear();
            _subscriptions.ForEach(subscription => subscription.Complete());
            _subscriptions.Clear();
        }

        // Nobody may be waiting for the greeting: its failure is then not an unobserved one.
        _ = _greeting.Task.Exception;
        _stream.Dispose();
    }

    private void Forget(QmpSubscription subscription)
    {
        lock (_gate)
        {
            _subscriptions.Remove(subscription);
        }
    }

    private sealed record Waiter(string Command)
    {
        public TaskCompletionSource<JsonElement> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
