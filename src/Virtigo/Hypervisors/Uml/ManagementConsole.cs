using System.Net.Sockets;
using System.Text;

namespace Virtigo.Hypervisors.Uml;

/// <summary>Gives commands to the kernel of a User-Mode Linux, one at a time.</summary>
/// <param name="kernel">The kernel's socket.</param>
/// <param name="answers">The path of ours, for its answers.</param>
/// <param name="ended">Completes when the guest has ended.</param>
internal sealed class ManagementConsole(string kernel, string answers, Task ended) : IDisposable
{
    /// <summary>How long a kernel may take to be ready for commands, and to answer one.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private const int MostParts = 256;
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(20);
    private readonly SemaphoreSlim _turn = new(1);

    /// <summary>Gives a command and awaits the answer.</summary>
    /// <param name="problem">What it means that this fails, for a message.</param>
    /// <param name="command">The command.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the guest has ended, or its kernel does not answer.</exception>
    public async Task<ManagementReply> ExecuteAsync(string problem, string command, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            using var limit = new CancellationTokenSource(Limit, TimeProvider.System);
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            Task<ManagementReply> exchange = ExchangeAsync(command, ending.Token);
            if (await Task.WhenAny(exchange, ended) != exchange && !exchange.IsCompleted)
            {
                await ending.CancelAsync();
                await exchange.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
                throw new VirtigoException(FailureKind.Guest, $"{problem}: the guest has ended.");
            }

            return await exchange;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new VirtigoException(FailureKind.Guest, $"{problem}: the guest's kernel did not answer '{command}' within {Limit.TotalSeconds} s.");
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Ends what it holds.</summary>
    public void Dispose() => _turn.Dispose();

    private async Task<ManagementReply> ExchangeAsync(string command, CancellationToken cancellationToken)
    {
        File.Delete(answers);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint(answers));
            await SendAsync(socket, ManagementMessage.Command(command), cancellationToken);
            return await ReceiveAsync(socket, cancellationToken);
        }
        finally
        {
            File.Delete(answers);
        }
    }

    private async Task SendAsync(Socket socket, byte[] message, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await socket.SendToAsync(message, new UnixDomainSocketEndPoint(kernel), cancellationToken);
                return;
            }
            catch (SocketException)
            {
                // The kernel makes its socket only after it has looked for its devices.
                await Task.Delay(Step, TimeProvider.System, cancellationToken);
            }
        }
    }

    private static async Task<ManagementReply> ReceiveAsync(Socket socket, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[ManagementMessage.LongestReply];
        var text = new StringBuilder();
        for (int part = 0; part < MostParts;)
        {
            int length = await socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
            if (ManagementMessage.Parse(buffer.AsSpan(0, length)) is { } reply)
            {
                part++;
                text.Append(reply.Text);
                if (!reply.More)
                {
                    return reply with { Text = text.ToString() };
                }
            }
        }

        throw new VirtigoException(FailureKind.Guest, $"The guest's kernel answers without end; expected at most {MostParts} parts.");
    }
}
