using System.Text;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.Tests.Machines;

/// <summary>Processes of guests that have an agent and no streams.</summary>
public sealed class AgentProcessTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_it_wrote_is_read_to_its_end_and_then_its_exit_code()
    {
        byte[] much = new byte[1 << 20];
        await using GuestProcess process = AgentProcess.Start(
            (said, _) =>
            {
                said(much, false);
                said("wrong"u8.ToArray(), true);
                return Task.FromResult(3);
            },
            Needs);

        Assert.Equal(3, await process.Exited.WaitAsync(Token));
        Assert.Equal("wrong", await new StreamReader(process.Error, Encoding.ASCII).ReadToEndAsync(Token));
        using var output = new MemoryStream();
        await process.Output.CopyToAsync(output, Token);
        Assert.Equal(much.Length, output.Length);
        await process.SignalAsync(2, Token);
    }

    [Fact]
    public async Task Input_that_it_cannot_take_ends_it_with_the_reason()
    {
        await using GuestProcess process = AgentProcess.Start(ForeverAsync, Needs);

        await Assert.ThrowsAsync<IOException>(async () => await process.Input.WriteAsync("some"u8.ToArray(), Token));
        Assert.Equal("Input of processes", (await Assert.ThrowsAsync<VirtigoException>(() => process.Exited)).Message);
        Assert.Equal(0, await process.Output.ReadAsync(new byte[1], Token));
    }

    [Fact]
    public async Task A_signal_that_it_cannot_be_given_ends_it_with_the_reason()
    {
        await using GuestProcess process = AgentProcess.Start(ForeverAsync, Needs);
        await process.SignalAsync(2, Token);

        Assert.Equal("Signals to processes", (await Assert.ThrowsAsync<VirtigoException>(() => process.Exited)).Message);
    }

    [Fact]
    public async Task Disposing_it_gives_it_up()
    {
        Task<int> exited;
        await using (GuestProcess process = AgentProcess.Start(ForeverAsync, Needs))
        {
            process.Input.Dispose();
            exited = process.Exited;
        }

        Assert.True(exited.IsCanceled);
    }

    private static VirtigoException Needs(string what) => new(FailureKind.Guest, what);

    private static async Task<int> ForeverAsync(Action<ReadOnlyMemory<byte>, bool> said, CancellationToken cancellationToken)
    {
        await Task.Delay(Timeout.Infinite, cancellationToken);
        return 0;
    }
}
