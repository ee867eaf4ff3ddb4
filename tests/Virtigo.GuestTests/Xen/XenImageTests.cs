using Virtigo.Appliances;
using Virtigo.Host;
using Virtigo.Hypervisors.Xen;
using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests.Xen;

/// <summary>An installed system in guests of Xen's. These tests run in a dom0, which <see cref="XenBedTests"/> starts; on any other host they are skipped.</summary>
public sealed class XenImageTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public Task It_boots_by_its_own_kernel_in_a_PV_guest_and_is_proven() => ProveAsync(XenDomainKind.Pv);

    [Fact]
    public Task It_boots_by_its_own_kernel_in_a_PVH_guest_and_is_proven() => ProveAsync(XenDomainKind.Pvh);

    private static async Task ProveAsync(XenDomainKind kind)
    {
        Assert.SkipUnless(XenGround.Found is not null && Directory.Exists(XenGround.Home), "no dom0 with an image; XenBedTests runs this in one");
        var paths = HostPaths.FromEnvironment();
        StoredImage image = new ImageStore(paths).Find("web");
        ImageProof proof = await new ImageProver(paths).ProveAsync(image, new XenHypervisor(paths, kind), null, TestContext.Current.SendDiagnosticMessage, Cancel);

        Assert.Equal("xen", proof.Hypervisor.Name);
        Assert.Contains(new ImageStore(paths).Find("web").Manifest.Proofs, one => one == proof);
    }
}
