using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Host;

public sealed class HostTroubleTests
{
    [Fact]
    public void A_full_device_is_the_hosts_trouble()
    {
        Exception full = Assert.ThrowsAny<IOException>(() => File.WriteAllText("/dev/full", "x"));

        VirtigoException told = HostTrouble.Explain(full)!;

        Assert.Equal(FailureKind.Host, told.Kind);
        Assert.Contains("VIRTIGO_HOME", told.Hint);
    }

    [Fact]
    public void A_missing_permission_names_the_path() =>
        Assert.Contains("/x", HostTrouble.Explain(new UnauthorizedAccessException("Access to the path '/x' is denied."))!.Message);

    [Fact]
    public void Anything_else_is_not() => Assert.Null(HostTrouble.Explain(new FileNotFoundException()));
}
