using System.Text;
using CsCheck;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Networks;

public sealed class DnsResponderTests
{
    private readonly RefusalLog _refusals = new(null);

    private DnsResponder Responder => new(["mirror.example", "security.example."], TestGuest.Gateway, _refusals);

    /// <summary>A question as a stub resolver sends it.</summary>
    public static byte[] Question(string name, ushort type, string header = "ABCD01000001000000000000")
    {
        byte[] labels = [.. name.Split('.').SelectMany(label => (byte[])[(byte)label.Length, .. Encoding.ASCII.GetBytes(label)])];
        return [.. Convert.FromHexString(header), .. labels, 0, (byte)(type >> 8), (byte)type, 0, 1];
    }

    [Fact]
    public void A_known_name_has_the_gateways_address_in_any_case_of_letters()
    {
        byte[] question = Question("MIRROR.Example", 1);
        Assert.Equal("ABCD85800001000100000000" + Convert.ToHexString(question.AsSpan(12)) + "C00C000100010000012C00040A000202",
            Convert.ToHexString(Responder.Answer(question)!));
        Assert.Empty(_refusals.ToList());
    }

    [Theory]
    [InlineData("mirror.example", 28, 0)]
    [InlineData("security.example", 16, 0)]
    [InlineData("_http._tcp.mirror.example", 33, 3)]
    public void Other_types_of_known_names_have_no_answer_and_are_not_recorded(string name, int type, int code)
    {
        byte[] question = Question(name, (ushort)type);
        Assert.Equal($"ABCD858{code}0001000000000000" + Convert.ToHexString(question.AsSpan(12)), Convert.ToHexString(Responder.Answer(question)!));
        Assert.Empty(_refusals.ToList());
    }

    [Theory]
    [InlineData("other.example")]
    [InlineData("sub.mirror.example")]
    [InlineData("_http._tcp.other.example")]
    public void Unknown_names_do_not_exist_and_are_recorded(string name)
    {
        Assert.Equal(3, Responder.Answer(Question(name, 1))![3] & 15);
        Assert.Equal([new GatewayRefusal("dns", name, 0, 1)], _refusals.ToList());
    }

    [Theory]
    [InlineData("ABCD01000001000000000000C00C00010001", 1)]
    [InlineData("ABCD01000001000000000000056D6972", 1)]
    [InlineData("ABCD01000002000000000000000001000100000100010001", 1)]
    [InlineData("ABCD28000001000000000000000001000100", 4)]
    public void Malformed_and_unusual_questions_get_an_error(string hex, int code) =>
        Assert.Equal(code, Responder.Answer(Convert.FromHexString(hex))![3] & 15);

    [Fact]
    public void Answers_and_fragments_get_nothing()
    {
        Assert.Null(Responder.Answer(Question("mirror.example", 1, "ABCD81000001000000000000")));
        Assert.Null(Responder.Answer([1, 2, 3]));
    }

    [Fact]
    public void Arbitrary_questions_never_break_the_responder_nor_make_it_answer_longer_than_asked() =>
        Gen.Byte.Array[0, 600].Sample(noise => Responder.Answer(noise) is not { } answer || answer.Length <= Math.Max(12, noise.Length) + 16, iter: 2000);
}
