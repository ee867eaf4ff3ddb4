using System.Net.Sockets;
using Virtigo.Machines;

namespace Virtigo.Environments;

/// <summary>Joins two connections, so that each side's end of sending reaches the other.</summary>
internal static class StreamJoining
{
    private const int Piece = 32 << 10;

    /// <summary>Carries bytes both ways until both sides have ended, or one broke.</summary>
    public static async Task JoinAsync(Stream first, Stream second, CancellationToken cancellationToken)
    {
        using var broken = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAll(CarryAsync(first, second, broken), CarryAsync(second, first, broken));
    }

    /// <summary>Shows the other side of a connection that nothing more will be sent; reading goes on.</summary>
    public static void EndSending(Stream connection)
    {
        switch (connection)
        {
            case NetworkStream network:
                network.Socket.Shutdown(SocketShutdown.Send);
                break;
            case GuestConnection guest:
                guest.EndInput();
                break;
        }
    }

    private static async Task CarryAsync(Stream from, Stream to, CancellationTokenSource broken)
    {
        byte[] buffer = new byte[Piece];
        try
        {
            for (int read; (read = await from.ReadAsync(buffer, broken.Token)) > 0;)
            {
                await to.WriteAsync(buffer.AsMemory(0, read), broken.Token);
                await to.FlushAsync(broken.Token);
            }

            EndSending(to);
        }
        catch (Exception error) when (error is IOException or SocketException or ObjectDisposedException or OperationCanceledException or VirtigoException)
        {
            await broken.CancelAsync();
        }
    }
}
