using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Networks;

public sealed class DhcpServerTests
{
    private static readonly DhcpSettings Settings = new(TestGuest.Gateway, new Ipv4Subnet(Ipv4Address.Of(10, 0, 2, 0), 24), 65520, "internal");

    /// <summary>A message as a client of this Ethernet address sends it, with its options as hexadecimal digits.</summary>
    public static byte[] Message(byte type, string options = "", string mac = "525400123456", string flags = "0000", string current = "00000000") =>
        Convert.FromHexString("01010600" + "11223344" + "0000" + flags + current + "000000000000000000000000" + mac + new string('0', 20)
            + new string('0', 128 + 256) + "63825363" + "3501" + type.ToString("X2", null) + options + "FF");

    [Fact]
    public void An_offer_names_address_router_name_server_mtu_and_domain()
    {
        DhcpAnswer answer = new DhcpServer(Settings).Answer(Message(1))!.Value;
        Assert.Equal(Ipv4Address.Of(10, 0, 2, 15), answer.Address);
        string hex = Convert.ToHexString(answer.Message);
        Assert.Equal("02010600" + "11223344" + "00000000" + "00000000" + "0A00020F" + "0A000202" + "00000000" + "525400123456", hex[..68]);
        Assert.StartsWith("63825363" + "350102" + "36040A000202" + "330400015180" + "3A040000A8C0" + "3B0400012750" + "0104FFFFFF00"
            + "1C040A0002FF" + "03040A000202" + "06040A000202" + "1A02FFF0" + "0F08" + Convert.ToHexString("internal"u8) + "FF", hex[472..], StringComparison.Ordinal);
    }

    [Fact]
    public void A_request_for_the_offered_address_is_acknowledged_and_for_another_refused()
    {
        var server = new DhcpServer(Settings);
        Assert.Equal("350105", TypeOf(server.Answer(Message(3, "32040A00020F"))));
        Assert.Equal("350105", TypeOf(server.Answer(Message(3, current: "0A00020F"))));
        DhcpAnswer? refusal = server.Answer(Message(3, "3204C0A80005"));
        Assert.Equal("350106", TypeOf(refusal));
        Assert.Equal(Ipv4Address.Broadcast, refusal!.Value.Address);
        Assert.Null(server.Answer(Message(3, "32040A00020F" + "36040A000263")));
        Assert.Null(server.Answer(Message(7)));
        Assert.Equal(Ipv4Address.Broadcast, server.Answer(Message(1, flags: "8000"))!.Value.Address);
    }

    [Fact]
    public void Each_client_keeps_its_own_address_and_the_oldest_gives_way()
    {
        var server = new DhcpServer(Settings);
        Ipv4Address[] addresses = [.. Enumerable.Range(0, 64).Select(i => server.Answer(Message(1, mac: $"5254000000{i:X2}"))!.Value.Address)];
        Assert.Equal(64, addresses.Distinct().Count());
        Assert.Equal(addresses[5], server.Answer(Message(1, mac: "525400000005"))!.Value.Address);
        Assert.Equal(addresses[0], server.Answer(Message(1, mac: "525400FFFFFF"))!.Value.Address);
    }

    private static string TypeOf(DhcpAnswer? answer) => Convert.ToHexString(answer!.Value.Message.AsSpan(240, 3));
}
