using System.Buffers;
using System.Net.Sockets;

namespace Virtigo.Networks;

/// <summary>Joins a guest's connection with one of the host's, so that each side's end of sending, or its reset, reaches the other.</summary>
internal sealed class OutwardPipe : IDisposable
{
    private const int PieceBytes = 32 * 1024;
    private readonly GuestConnection _guest;
    private readonly FirstBytes _first;
    private readonly TimeSpan _idleLimit;
    private readonly CancellationTokenSource _idle;
    private readonly CancellationTokenSource _ending;

    /// <summary>Makes one end.</summary>
    /// <param name="guest">The guest's connection.</param>
    /// <param name="first">Its first bytes.</param>
    /// <param name="idleLimit">How long nothing may pass in either direction.</param>
    /// <param name="clock">For the limit.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public OutwardPipe(GuestConnection guest, FirstBytes first, TimeSpan idleLimit, TimeProvider clock, CancellationToken cancellationToken)
    {
        (_guest, _first, _idleLimit) = (guest, first, idleLimit);
        _idle = new CancellationTokenSource(idleLimit, clock);
        _ending = CancellationTokenSource.CreateLinkedTokenSource(_idle.Token, cancellationToken);
    }

    /// <summary>Cancelled when the connection stood still for too long, or is to end.</summary>
    public CancellationToken Token => _ending.Token;

    /// <summary>Carries bytes both ways until both sides have ended.</summary>
    /// <param name="host">The host's connection; it is closed in the end.</param>
    /// <param name="check">
    /// Says why what a guest has said so far may not pass, or null that it may; null for no such check. What completes a name that is refused
    /// does not pass, so that the host's side never has the whole of it.
    /// </param>
    /// <exception cref="OutwardRefusedException">What the guest said first may not pass.</exception>
    /// <exception cref="IOException">The guest's side broke.</exception>
    /// <exception cref="SocketException">The host's side broke.</exception>
    public async Task CarryAsync(Socket host, Func<FirstWords, string?>? check)
    {
        using Socket owned = host;
        Task forth = ForthAsync(host, check);
        Task back = BackAsync(host);
        try
        {
            Task first = await Task.WhenAny(forth, back);
            if (!first.IsCompletedSuccessfully)
            {
                await _ending.CancelAsync();
            }

            await Task.WhenAll(forth, back);
        }
        catch
        {
            await _ending.CancelAsync();
            await Task.WhenAll(forth, back).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

            // A reset, so that nobody takes half of something for the whole.
            host.Close(0);
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _ending.Dispose();
        _idle.Dispose();
    }

    private async Task ForthAsync(Socket host, Func<FirstWords, string?>? check)
    {
        await SendAsync(host, _first.Taken);
        for (FirstWords words = default; check is not null && (words == default || words.IsOpen);)
        {
            int passed = _first.Taken.Length;
            words = await _first.ReadAsync(Token);
            if (check(words) is { } reason)
            {
                throw new OutwardRefusedException(reason);
            }

            await SendAsync(host, _first.Taken[passed..]);
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            for (int count; (count = await _guest.Stream.ReadAsync(buffer.AsMemory(0, PieceBytes), Token)) > 0;)
            {
                await SendAsync(host, buffer.AsMemory(0, count));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        host.Shutdown(SocketShutdown.Send);
    }

    private async Task SendAsync(Socket host, ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await host.SendAsync(bytes, Token)..];
            Touch();
        }
    }

    private async Task BackAsync(Socket host)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            for (int count; (count = await host.ReceiveAsync(buffer.AsMemory(0, PieceBytes), Token)) > 0;)
            {
                Touch();
                await _guest.Stream.WriteAsync(buffer.AsMemory(0, count), Token);
                await _guest.Stream.FlushAsync(Token);
                Touch();
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        _guest.CompleteWrites();
    }

    private void Touch() => _idle.CancelAfter(_idleLimit);
}
