using Xunit;
using Xunit.Sdk;
using Xunit.v3;
using Virtigo.Xunit;

#region parallel
[assembly: Parallelization(Mode = ParallelMode.All)]
#endregion

/// <summary>Two tests that are certainly under way at the same time, and do the same thing to the same machine.</summary>
public sealed class ParallelTests(Shop shop) : ForkedTest<Shop>(shop)
{
    private static readonly TaskCompletionSource s_one = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private static readonly TaskCompletionSource s_other = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Fact]
    public Task One_test_sees_only_what_it_did_itself() => WriteAsync("one", s_one, s_other);

    [Fact]
    public Task Another_test_at_the_same_time_does_too() => WriteAsync("another", s_other, s_one);

    private async Task WriteAsync(string text, TaskCompletionSource mine, TaskCompletionSource theirs)
    {
        await Fork["server"].RunAsync($"test ! -e /etc/written && echo {text} > /etc/written", Cancel);
        mine.SetResult();
        await theirs.Task.WaitAsync(TimeSpan.FromMinutes(10), Cancel);
        Assert.Equal(text, await Fork["server"].RunAsync("cat /etc/written", Cancel));
    }
}
