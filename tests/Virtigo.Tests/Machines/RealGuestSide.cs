using System.Diagnostics;
using System.Net.Sockets;
using Virtigo.Machines;

namespace Virtigo.Tests.Machines;

/// <summary>The program that runs in guests, run here, and the host's side of its channel.</summary>
internal sealed class RealGuestSide : IAsyncDisposable
{
    private readonly Process _perl;
    private readonly string _script;

    private RealGuestSide(Process perl, string script, GuestChannel channel) =>
        (_perl, _script, Channel, Shell) = (perl, script, channel, new ChannelShell(channel, TimeProvider.System));

    public GuestChannel Channel { get; }

    public ChannelShell Shell { get; }

    public int ProcessId => _perl.Id;

    public static async Task<RealGuestSide> StartAsync(CancellationToken cancellationToken)
    {
        string script = Path.GetTempFileName();
        await File.WriteAllBytesAsync(script, GuestChannelSetup.Program(), cancellationToken);
        string path = Path.Combine(Path.GetTempPath(), $"vt-{Guid.NewGuid():N}.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(1);
        Process perl = Process.Start("perl", [script, "unix:" + path]);
        var channel = new GuestChannel(new NetworkStream(await listener.AcceptAsync(cancellationToken), ownsSocket: true));
        File.Delete(path);
        await channel.ResetAsync(null, ReadOnlyMemory<byte>.Empty, cancellationToken);
        return new RealGuestSide(perl, script, channel);
    }

    public async ValueTask DisposeAsync()
    {
        if (!File.Exists(_script))
        {
            return;
        }

        await Channel.DisposeAsync();
        await _perl.WaitForExitAsync();
        _perl.Dispose();
        File.Delete(_script);
    }
}
